@faults @timeout:180
Feature: What a server has synced outlives its power, and nothing else does
  The server is killed in the middle of a sync, and what it has not synced is gone from its disk.
  That something was lost is measured there: a loss of power that takes nothing proves nothing.

  @FAIL-01 @nightly
  Scenario Outline: Nothing acknowledged is lost with the power: <writes>
    Given <service>
    When <writes> while <node> has lost power
    Then nothing acknowledged is lost
    And writes are acknowledged again within 60 seconds after the fault is over

    Examples:
      | service                              | writes                                                                | node        |
      | a PostgreSQL server                  | rows are inserted into a table that has survived a restart            | the primary |
      | a Redis server that syncs each write | keys are set                                                          | the server  |
      | an etcd server                       | keys are put                                                          | node 1      |
      | a RabbitMQ broker                    | messages are published to a durable queue that has survived a restart | node 1      |

  # PostgreSQL promises three times 0.2 seconds, Redis one second, on a machine that is not busy. MinIO
  # syncs an object and renames it: the last name is not yet on the disk.
  @FAIL-01 @nightly
  Scenario Outline: Only the latest is lost with the power of <service>
    Given <service>
    When <writes> while <node> has lost power
    Then nothing acknowledged is lost but what came at most <window> seconds before the outage
    And writes are acknowledged again within 20 seconds after the fault is over

    Examples:
      | service                                               | writes                                                     | node        | window |
      | a PostgreSQL server that acknowledges before it syncs | rows are inserted into a table that has survived a restart | the primary | 2      |
      | a Redis server that syncs every second                | keys are set                                               | the server  | 2      |
      | a Redis server that saves a snapshot every second     | keys are set                                               | the server  | 5      |
      | an object store                                       | objects are uploaded                                       | the server  | 2      |

  # SQLite in Mailpit, the log of Prometheus and that of Milvus leave syncs to the kernel, too.
  @FAIL-01 @BEYOND-01 @nightly
  Scenario Outline: What was acknowledged before it was synced is lost with the power of <service>
    Given <service>
    When <writes> while <node> has lost power
    Then some of what was acknowledged is lost

    Examples:
      | service                              | writes                                                     | node        |
      | a PostgreSQL server that never syncs | rows are inserted into a table that has survived a restart | the primary |
      | a Redis server that never syncs      | keys are set                                               | the server  |
      | a mail server                        | mails are sent                                             | the server  |
      | a Prometheus                         | series are written                                         | the server  |
      | a vector database                    | vectors are inserted                                       | the server  |
