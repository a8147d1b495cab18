@monitoring
Feature: The machine is watched
  What a machine says of its processors, memory, disks and network is what its kernel says.

  @MON-03 @critical
  Scenario: The metrics of a machine are those of its kernel
    Given Prometheus scrapes a node exporter on this machine
    Then within 20 seconds the metrics of processors, memory, disks and network are those of the kernel
    And within 10 seconds these queries answer
      | query                                                                                       | is   |
      | up{job="host"}                                                                              | 1    |
      | node_load1{job="host"}                                                                      | > -1 |
      | min(node_filesystem_avail_bytes{job="host"} <= bool node_filesystem_size_bytes{job="host"}) | 1    |
      | node_memory_MemAvailable_bytes{job="host"} / node_memory_MemTotal_bytes{job="host"}         | < 1  |
