/** The one place that names the driver, with its types (the package carries none of its own). */
// @ts-types="@types/pg"
import pg from "pg";

export { pg };
