"""Objects in a folder or S3, and Delta tables with their log. Nobody else imports deltalake's writers."""
