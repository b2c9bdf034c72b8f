"""What commands show to people, as renderables of rich: one module for each thing that is shown."""
