package config

import "path/filepath"

// Migration is where communities are moved in from, by pages.
type Migration struct {
	// Exports is the folder in which exports are looked for; empty means what [Config.ExportFolder] derives.
	Exports string `yaml:"exports"`
	// MaxUpload bounds the exports that were uploaded, all together.
	MaxUpload Size `yaml:"max_upload"`
}

// ExportFolder is migration.exports, or a folder in the data folder.
func (c *Config) ExportFolder() string {
	if c.Migration.Exports != "" {
		return c.Migration.Exports
	}
	return filepath.Join(c.DataDir, "exports")
}

func (v *validator) operations() {
	v.size("migration.max_upload", v.config.Migration.MaxUpload, 1<<20, 1<<50)
}
