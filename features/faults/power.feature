@faults @timeout:180
Feature: What a server has synced outlives its power, and nothing else does
  The server is killed while its syncs are under way, and what it has not synced is gone from
  its disk. That something was lost is measured there: a loss of power that takes nothing proves
  nothing.

  @FAIL-01 @nightly
  Scenario Outline: Nothing acknowledged is lost with the power: <writes>
    Given <service>
    When <writes> while <node> has lost power
    Then nothing acknowledged is lost
    And writes are acknowledged again within 20 seconds after the fault is over

    Examples:
      | service             | writes            | node        |
      | a PostgreSQL server | rows are inserted | the primary |
      | an etcd server      | keys are put      | node 1      |
