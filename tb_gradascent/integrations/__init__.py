"""What the callbacks for training frameworks share."""
