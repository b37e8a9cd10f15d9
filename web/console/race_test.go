//go:build race

package console

// raceFactor is by how much the race detector makes things slower, at least.
const raceFactor = 10
