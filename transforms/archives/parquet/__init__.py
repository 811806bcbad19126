"""Images in Parquet files, as the Hugging Face hub has them."""
