import { readCredentialFile } from "../../src/storage/credential_file.ts";
import { gatewayNeeds } from "../../src/sandbox.ts";
import { parseGatewayOptions } from "../../src/gateway/options.ts";
import type { Launch } from "./launch.ts";

/**
 * A gateway with these options. It has no permission to read its password's file, so that is read here
 * and handed over by standard input.
 *
 * @throws {UsageError} the options are wrong
 * @throws {ConfigurationError} the file cannot be read
 */
export function gatewayLaunch(args: readonly string[]): Launch {
  const options = parseGatewayOptions(args);
  const { passwordFile } = options;
  const launched = { entry: "src/gateway/main.ts", needs: gatewayNeeds(options) };
  if (passwordFile === undefined || passwordFile === "-") return { ...launched, args };
  return {
    ...launched,
    args: args.map((each) => each.replace(passwordFile, "-")),
    stdin: readCredentialFile(passwordFile, "--password-file"),
  };
}
