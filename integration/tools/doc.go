// Package tools finds, and where it may installs, the interpreters and libraries of the real
// clients that tests run: matrix-js-sdk with a Node.js that is new enough for it, and matrix-nio.
package tools
