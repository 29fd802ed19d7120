package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

type versionCmd struct{}

func (*versionCmd) Run(a *app) error {
	a.data(fmt.Sprintf("jot %s %s %s/%s\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH))
	return nil
}

// version is what the Go command recorded when it built this program.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "(devel)"
	}
	return info.Main.Version
}
