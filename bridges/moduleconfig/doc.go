// Package moduleconfig reads the part of the configuration that is a bridge module's own: YAML nodes,
// whose mistakes are told with their lines. A module describes its keys by Readers; what it makes of
// them, and everything that a network means by them, belongs to the module.
package moduleconfig
