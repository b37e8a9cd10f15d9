// Command landbridge is a compact Matrix homeserver, a host of bridge modules, and the
// tools around them. All of it is in package app; a build with further modules is a main like this one.
package main

import "github.com/landbridge-im/landbridge/app"

// version is set when a release is built (see the Makefile).
var version = "dev"

func main() { app.Main(version, app.Modules()...) }
