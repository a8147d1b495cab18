@monitoring
Feature: What batch jobs have pushed is there to be scraped
  A job that ends before anybody could ask it leaves its metrics with a gateway. The last
  push of each job counts.

  @MON-02 @critical
  Scenario: The gateway has what each job pushed last
    Given a Pushgateway
    When the batch job "import" pushes these metrics
      | metric              | type      | labels                      | value         | buckets   |
      | rows_imported_total | counter   | source="crm"                | 1200          |           |
      | rows_imported_total | counter   | source="web \"shop\", Köln" | 7             |           |
      | import_age_seconds  | gauge     |                             | -0.5          |           |
      | file_seconds        | histogram | kind="csv"                  | 0.05, 0.2, 30 | 0.1, 1, 5 |
    And the batch job "export" pushes these metrics
      | metric              | type    | labels | value |
      | rows_exported_total | counter |        | 3e9   |
    And the batch job "import" pushes these metrics
      | metric              | type      | labels       | value    | buckets   |
      | rows_imported_total | counter   | source="crm" | 1300     |           |
      | file_seconds        | histogram | kind="csv"   | 0.1, 0.2 | 0.1, 1, 5 |
    Then the gateway has the last push of every job, unchanged

  @MON-02
  Scenario: Metrics are added to a group, and a job's group is deleted
    Given a Pushgateway
    When the batch job "import" pushes these metrics
      | metric              | type    | labels | value |
      | rows_imported_total | counter |        | 1200  |
      | import_age_seconds  | gauge   |        | 2     |
    And the batch job "import" adds these metrics
      | metric             | type  | labels | value |
      | import_age_seconds | gauge |        | 3     |
      | import_lag_seconds | gauge |        | 1.5   |
    And the batch job "export" pushes these metrics
      | metric              | type    | labels | value |
      | rows_exported_total | counter |        | 5     |
    And the metrics of the batch job "export" are deleted
    Then the gateway has the last push of every job, unchanged
