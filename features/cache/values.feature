@cache
Feature: What a key holds
  A value is read as it was written: JSON by its content, everything else byte
  for byte.

  @CACHE-01
  Scenario: A key holds what was put there
    Given a Redis server
    And "cart-id" stands for "{any number}"
    When this value is put into the key "cart:{cart-id}"
      """json
      {"cart": {cart-id}, "items": ["a-1", "b-2"], "note": null}
      """
    Then within 2 seconds the key "cart:{cart-id}" holds
      """json
      {"note": null, "items": ["a-1", "{any text}"], "cart": {cart-id}}
      """
    And for 1 second the key "cart:{cart-id}" holds a value where
      | field      | is             |
      | $.cart     | {cart-id}      |
      | $.items[*] | ["a-1", "b-2"] |
      | $.note     | null           |
      | $.total    | {missing}      |
    And for 1 second the key "cart:0" is not there
