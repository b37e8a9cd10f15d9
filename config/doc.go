// Package config is Landbridge's configuration: one YAML file in which every key may be
// left out.
//
// [Load] reads it and the environment, refuses what it does not know and what cannot be
// right, and reports everything that is wrong at once, each with file, line, the value
// and what would be right. [Default] is what holds without a file. The annotated example
// is configs/landbridge.example.yaml.
//
// # Environment
//
// A variable overrides the key whose path it spells: LANDBRIDGE_ and the path in upper
// case with _ between its parts. LANDBRIDGE_SERVER_NAME is server.name,
// LANDBRIDGE_RATE_LIMITS_ENABLED is rate_limits.enabled. Lists of plain values are
// separated by commas. An empty variable is the empty value, not an absent one. The list
// bridges can only be set in the file. A variable that begins with LANDBRIDGE_ and names
// no key is refused, except LANDBRIDGE_CONFIG, which is the path of the file for commands
// that read one, and names beginning with LANDBRIDGE_TEST_, which are for tests.
//
// # Values
//
// Durations are written 30s, 5m or 1h30m; sizes 65536, 64KiB or 50MiB (1 KiB = 1024
// bytes; 1 KB = 1000). Relative paths are relative to the folder that the program is
// started in.
//
// This package starts nothing and opens nothing but the configuration file and the files
// with secrets that it names. What the values mean is the business of those who use them.
package config
