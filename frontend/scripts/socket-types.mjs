/** Writes the types of the websockets' messages, made from their published schema, to a file. */
import { readFile, writeFile } from 'node:fs/promises'
import { argv } from 'node:process'

import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript'

/** Of the pages' sockets; the link of runners is none of theirs. */
const NAMES = ['console_server', 'console_client', 'watch_server', 'watch_client']
const SCHEMA = new URL('../../docs/websockets.schema.json', import.meta.url)

const { title, version, $defs } = JSON.parse(await readFile(SCHEMA, 'utf8'))
const schemas = Object.fromEntries(NAMES.map((name) => [name, $defs[name]]))
// The generator reads JSON Schema where OpenAPI 3.1 keeps it.
const document = { openapi: '3.1.0', info: { title, version: String(version) }, paths: {}, components: { schemas } }
const nodes = await openapiTS(JSON.stringify(document), { emptyObjectsUnknown: true })

await writeFile(argv[2] ?? 'src/realtime/sockets.ts', COMMENT_HEADER + astToString(nodes))
