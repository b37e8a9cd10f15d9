package app

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/configs"
)

func runConfig(ctx context.Context, args []string, std stdio) error {
	return dispatch(ctx, "landbridge config", []command{
		{"check", "say what is wrong with a configuration file and the environment", runConfigCheck},
		{"show", "print the configuration in effect, and where each value comes from", runConfigShow},
		{"example", "print an annotated file with every key and its default", runConfigExample},
	}, args, std)
}

// configFlag adds the flag -c to a command.
func configFlag(fs *flag.FlagSet) *string {
	return fs.String("c", "", "the configuration `file`; else $"+config.EnvConfig+", else all defaults")
}

// loadConfig loads the configuration of a command; an empty path is looked up in the
// environment.
func loadConfig(path string) (*config.Config, error) {
	return config.Load(configPath(path), os.Environ())
}

func runConfigCheck(ctx context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge config check")
	asJSON := fs.Bool("json", false, "print JSON")
	path := configFlag(fs)
	rest, err := parseFlags(fs, "landbridge config check [-json] [-c FILE]", args, std)
	if err != nil {
		return err
	}
	if err := fileArgument(fs.Name(), path, rest); err != nil {
		return err
	}
	c, err := loadConfig(*path)
	if err == nil {
		err = checkBridges(ctx, *path, c, std.build.Modules)
	}
	switch {
	case err != nil && *asJSON:
		return errors.Join(printJSON(std, configChecked{Errors: strings.Split(err.Error(), "\n")}), &exitError{code: exitFailure})
	case err != nil:
		return err
	}
	return tell(std, *asJSON, configChecked{true, c.Server.Name, c.PublicURL(), c.DataDir, []string{}}, "The configuration is good: server %s at %s, data in %s.", c.Server.Name, c.PublicURL(), c.DataDir)
}

// configChecked is what programs are told of a configuration.
type configChecked struct {
	Good      bool     `json:"good"`
	Server    string   `json:"server,omitempty"`
	PublicURL string   `json:"public_url,omitempty"`
	DataDir   string   `json:"data_dir,omitempty"`
	Errors    []string `json:"errors"` // each with file, line and column
}

// checkBridges has the modules check their own parts of the configuration.
func checkBridges(ctx context.Context, file string, c *config.Config, modules []appservice.Module) error {
	var errs []error
	for _, b := range c.Bridges {
		if _, err := newBridge(ctx, b, modules, ""); err != nil {
			errs = append(errs, fmt.Errorf("%s: bridge %s: %w", file, b.ID, err))
		}
	}
	return errors.Join(errs...)
}

// fileArgument takes the one file that may be given without -c.
func fileArgument(name string, path *string, rest []string) error {
	switch {
	case len(rest) == 0:
		return nil
	case len(rest) > 1 || *path != "":
		return usageError("%s: too many arguments: %s", name, strings.Join(rest, " "))
	}
	*path = rest[0]
	return nil
}

func runConfigShow(_ context.Context, args []string, std stdio) error {
	fs := newFlags("landbridge config show")
	path := configFlag(fs)
	rest, err := parseFlags(fs, "landbridge config show [-c FILE]", args, std)
	if err != nil {
		return err
	}
	if err := fileArgument(fs.Name(), path, rest); err != nil {
		return err
	}
	c, err := loadConfig(*path)
	if err != nil {
		return err
	}
	out, err := c.Show()
	if err != nil {
		return err
	}
	_, err = std.Out.Write(out)
	return err
}

func runConfigExample(_ context.Context, args []string, std stdio) error {
	if _, err := parseFlags(newFlags("landbridge config example"), "landbridge config example > landbridge.yaml", args, std); err != nil {
		return err
	}
	_, err := io.WriteString(std.Out, configs.Example())
	return err
}
