"""What a run tells people and machines: console, Allure, JUnit XML, with secrets masked."""
