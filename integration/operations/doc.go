// Package operations tests what is handed to those who run a server, beside the program: the files for proxies, systemd
// and containers, and those for Prometheus and Grafana.
package operations
