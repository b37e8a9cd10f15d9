// Package docs runs the commands of the documentation: the blocks that are marked "sh run", in order,
// each page in a folder of its own, with the program in PATH.
package docs
