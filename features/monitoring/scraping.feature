@monitoring
Feature: What is measured can be asked for
  Prometheus scrapes applications and gateways every second. Its answers are those that
  follow from what was measured, with all labels.

  @MON-01 @MON-02 @critical
  Scenario: What batch jobs have pushed is scraped, with all labels
    Given a Pushgateway that Prometheus scrapes
    When the batch job "import" pushes these metrics
      | metric              | type      | labels                      | value         | buckets   |
      | rows_imported_total | counter   | source="crm"                | 1200          |           |
      | rows_imported_total | counter   | source="web \"shop\", Köln" | 7             |           |
      | import_age_seconds  | gauge     |                             | -0.5          |           |
      | file_seconds        | histogram | kind="csv"                  | 0.05, 0.2, 30 | 0.1, 1, 5 |
    And the batch job "export" pushes these metrics
      | metric              | type    | labels | value |
      | rows_exported_total | counter |        | 3e9   |
    Then within 20 seconds Prometheus has the last push of every job, unchanged
    And within 5 seconds these queries answer
      | query                                                          | is      |
      | sum(rows_imported_total{job="import"})                         | 1207    |
      | rows_imported_total{job="import", source="web \"shop\", Köln"} | 7       |
      | import_age_seconds{job="import"} < 0                           | -0.5    |
      | import_age_seconds{job="import"} > 0                           | nothing |
      | histogram_quantile(0.5, file_seconds_bucket{job="import"})     | 0.55    |
    And within 5 seconds the query "max by (job, source) (rows_imported_total{job="import"})" returns exactly these series
      | labels                                    | is   |
      | job="import", source="crm"                | 1200 |
      | job="import", source="web \"shop\", Köln" | 7    |

  @MON-01 @MON-05 @critical
  Scenario: Throughput and latency of a running pipeline are tracked
    Given a Kafka broker
    And the churn pipeline is running
    And Prometheus scrapes the churn pipeline as the job "pipeline"
    When 300 valid customers are published
    Then every valid customer gets one prediction within 60 seconds
    And within 10 seconds these queries answer
      | query                                                                                   | is   |
      | churn_messages_received_total{job="pipeline"}                                           | 300  |
      | churn_predictions_total{job="pipeline"}                                                 | 300  |
      | sum(churn_dead_letters_total{job="pipeline"})                                           | 0    |
      | rate(churn_predictions_total{job="pipeline"}[1m])                                       | > 1  |
      | histogram_quantile(0.95, rate(churn_batch_duration_seconds_bucket{job="pipeline"}[1m])) | > 0  |
      | histogram_quantile(0.95, rate(churn_batch_duration_seconds_bucket{job="pipeline"}[1m])) | < 30 |
