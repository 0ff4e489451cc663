"""The clients that people use, in front of every wire: `make e2e-sdks`. Each is loaded where its tests run."""
