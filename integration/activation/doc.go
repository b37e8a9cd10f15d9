// Package activation restarts the real binary on a socket that is passed to it, as systemd does.
package activation
