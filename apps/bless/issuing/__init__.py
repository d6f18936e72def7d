"""The issuing CA: who asks is proved, policy decides, it is recorded, a KMS signs."""
