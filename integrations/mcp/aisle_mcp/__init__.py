"""An MCP server (Model Context Protocol) that lets a model search an Aisle shop."""
