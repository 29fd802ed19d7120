package admin

// Routes lists methods and paths as the document writes them, with their operationId and scope.
func Routes() (out [][4]string) {
	for _, r := range routes(true) {
		out = append(out, [4]string{r.method, r.path, r.action, r.scope})
	}
	return out
}
