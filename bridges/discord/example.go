package discord

import _ "embed"

// ExampleConfig is the module's configuration with its keys explained.
//
//go:embed example.yaml
var ExampleConfig string
