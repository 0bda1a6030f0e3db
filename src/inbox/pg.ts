/** The one place that names the driver, with its types (the packages carry none of their own). */
// @ts-types="@types/pg"
import pg from "pg";
// @ts-types="@types/pg-copy-streams"
import { to as copyTo } from "pg-copy-streams";

export { copyTo, pg };
