package irc

import _ "embed"

// ExampleConfig is the module's configuration with every key explained.
//
//go:embed example.yaml
var ExampleConfig string
