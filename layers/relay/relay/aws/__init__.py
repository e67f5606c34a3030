"""AWS services: SQS, Parameter Store, DynamoDB."""
