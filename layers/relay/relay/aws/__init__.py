"""AWS, a service a module: SQS, Parameter Store, DynamoDB."""
