//go:build race

package stateres

// raceFactor makes random tests shorter where the race detector slows everything down.
const raceFactor = 25
