// Package configs holds the files that people copy and change: the annotated example of
// the configuration among them. It has no code beyond giving them to the program.
package configs

import "embed"

//go:embed landbridge.example.yaml
var example string

// Files are those files, as they are in this folder.
//
//go:embed landbridge.example.yaml container monitoring proxy systemd
var Files embed.FS

// Example is the annotated configuration with every key and its default.
func Example() string { return example }
