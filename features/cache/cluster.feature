@cache @timeout:240
Feature: A Redis Cluster spreads keys over its nodes
  Each key has a slot, and each slot a primary. Whoever asks the wrong node is told the
  right one, also while slots move. When a primary is lost, its replica takes over.

  Background:
    Given a Redis Cluster of 3 primaries with 3 replicas in all

  @HA-01 @critical
  Scenario: Each key lies on the node that has its slot
    When 300 keys are set
    Then each key lies on the node that has its slot, and every primary has some
    And a node that is asked for a key of another node answers MOVED and names that node

  @HA-01
  Scenario: While a slot moves, clients are led to each of its keys
    Then while a slot moves from node 1 to node 2, ASK leads to what has moved already

  @HA-01 @critical
  Scenario: Keys are read and written while their slots move
    When 4 clients read and write 50 keys while 20 slots move from node 1 to node 2
    Then every reading shows the value that was written last

  @HA-01 @nightly
  Scenario Outline: A replica takes over when <node> <fault>
    When keys are set while <node> <fault>, until another node has taken over
    Then nothing acknowledged is lost but what came at most 1 second before the outage
    And writes were acknowledged again at most 30 seconds after the fault

    Examples:
      | node   | fault       |
      | node 1 | has crashed |
      | node 2 | is paused   |

  # What it acknowledges until it knows of that is lost.
  @HA-01 @nightly
  Scenario: A replica takes over from a primary that is cut off
    When keys are set while node 3 is cut off from its peers, until another node has taken over
    Then writes were acknowledged again at most 30 seconds after the fault

  @HA-01 @nightly
  Scenario: Writes go on while a replica is lost
    When keys are set while node 4 has crashed
    Then nothing acknowledged is lost
    And writes were acknowledged again at most 5 seconds after the fault
