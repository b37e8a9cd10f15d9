// Command landbridge-linechat is Landbridge with the example's module beside the usual ones.
package main

import (
	"github.com/landbridge-im/landbridge/app"
	"github.com/landbridge-im/landbridge/examples/linechat"
)

func main() { app.Main("example", append(app.Modules(), linechat.Module())...) }
