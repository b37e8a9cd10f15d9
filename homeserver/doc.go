// Package homeserver is a compact Matrix homeserver. This root package wires its parts together;
// it is what commands import. See docs/architecture.md for how the parts work together.
package homeserver
