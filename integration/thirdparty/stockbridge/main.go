//go:build cgo

// Command stockbridge is a bridge as others write them: mautrix-go's own main for bridges (mxmain), its database,
// its encryption and its configuration file, with a network that a test plays. Nothing of Landbridge is in it.
//
// What the network says comes as JSON by POST to the address of the environment variable NETWORK; what it is
// told stands on the output, a line each.
package main

import (
	"fmt"
	"os"

	"maunium.net/go/mautrix/bridgev2/matrix/mxmain"
)

func main() {
	c := &connector{}
	m := mxmain.BridgeMain{Name: "stockbridge", Description: "A bridge for tests", URL: "https://example.org", Version: "0.1.0", Connector: c}
	m.PostStart = func() {
		if err := c.listen(os.Getenv("NETWORK")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println("the bridge runs")
	}
	m.InitVersion("", "", "")
	m.Run()
}
