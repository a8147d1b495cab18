@monitoring
Feature: Queries answer what follows from the values
  Whatever an application has told is there at its time; rates, sums and percentiles are
  those that one computes by hand.

  Background:
    Given a Prometheus
    And an application "shop" has had these values, every 15 seconds until now
      | metric               | labels         | values                       |
      | requests_total       | path="/"       | 1000, 1030, 1060, 1090, 1120 |
      | requests_total       | path="/cart"   | 500, 515, 530, 545, 560      |
      | queue_length         | queue="orders" | 3, 8, 5, 4, 10               |
      | order_seconds_bucket | le="0.1"       | 100, 115, 130, 145, 160      |
      | order_seconds_bucket | le="0.5"       | 200, 225, 250, 275, 300      |
      | order_seconds_bucket | le="1"         | 300, 330, 360, 390, 420      |
      | order_seconds_bucket | le="+Inf"      | 300, 330, 360, 390, 420      |

  @MON-01 @MON-02 @MON-05
  Scenario: Rates, sums, percentiles and times are those that one computes by hand
    Then every value can be read back at its time
    And within 5 seconds these queries answer
      | query                                                               | is      |
      | requests_total{job="shop", path="/"}                                | 1120    |
      | requests_total{job="shop", path="/"} offset 30s                     | 1060    |
      | sum(rate(requests_total{job="shop"}[1m]))                           | 3       |
      | increase(requests_total{job="shop", path="/cart"}[1m])              | 60      |
      | max_over_time(queue_length{job="shop"}[40s])                        | 10      |
      | avg_over_time(queue_length{job="shop"}[70s])                        | 6       |
      | histogram_quantile(0.5, rate(order_seconds_bucket{job="shop"}[1m])) | 0.1     |
      | histogram_quantile(0.9, rate(order_seconds_bucket{job="shop"}[1m])) | 0.7     |
      | requests_total{job="shop", path="/other"}                           | nothing |
    And within 5 seconds the query "sum by (path) (rate(requests_total{job="shop"}[1m]))" returns exactly these series
      | labels       | is |
      | path="/"     | 2  |
      | path="/cart" | 1  |

  @MON-06
  Scenario: A range is exported as CSV, JSON and a picture
    When the query "sum by (path) (requests_total{job="shop"})" is exported over the last 30 seconds, every 15 seconds
    Then the exported CSV and JSON have exactly these rows
      | seconds | labels       | value |
      | -30     | path="/"     | 1060  |
      | -15     | path="/"     | 1090  |
      | 0       | path="/"     | 1120  |
      | -30     | path="/cart" | 530   |
      | -15     | path="/cart" | 545   |
      | 0       | path="/cart" | 560   |
    And the exported picture shows 2 lines
