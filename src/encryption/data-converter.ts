import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DataConverter, LoadedDataConverter } from '@temporalio/common';
import { failureConverter } from './failure-converter.ts';
import { createPayloadCodec } from './payload-codec.ts';
import type { PayloadKey } from './payload-keys.ts';

/** The module that the SDK loads by its path, in the process and into the workflows' bundle. */
export const FAILURE_CONVERTER_PATH = fileURLToPath(
  new URL(`./failure-converter${extname(import.meta.url)}`, import.meta.url),
);

/**
 * How values travel to Temporal and back: as JSON, and encrypted if there are keys. Without keys it still tells an
 * encrypted payload from a damaged one.
 *
 * @param missed as of {@link createPayloadCodec}
 */
export function createDataConverter(
  keys: readonly PayloadKey[],
  missed?: (message: string) => void,
): DataConverter {
  return {
    payloadCodecs: [createPayloadCodec(keys, missed)],
    ...(keys.length === 0 ? {} : { failureConverterPath: FAILURE_CONVERTER_PATH }),
  };
}

/** Whether what goes out is encrypted: with the converter of {@link createDataConverter}, and keys. */
export function isEncrypting({
  options,
}: {
  readonly options: { readonly loadedDataConverter: LoadedDataConverter };
}): boolean {
  return options.loadedDataConverter.failureConverter === failureConverter;
}
