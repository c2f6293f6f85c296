/** Serves the built pages under the same addresses and the same strict policy as the backend. */
import { existsSync, readFileSync } from 'node:fs'
import { extname, join, normalize } from 'node:path'

const TYPES = {
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.html': 'text/html; charset=utf-8',
}
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self' ws: wss:",
  "img-src 'self' data: blob:",
  "media-src 'self' blob:",
  "font-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
].join('; ')

export function serveFile(distFolder, request, response) {
  const { pathname } = new URL(request.url, 'http://fake')
  const isPage = /^\/(studio|watch)\//.test(pathname)
  const name = isPage ? 'index.html' : normalize(pathname.replace(/^\/static\/frontend\//, ''))
  const file = distFolder ? join(distFolder, name) : ''
  if (!file || name.startsWith('..') || !existsSync(file) || !extname(file)) {
    response.writeHead(404)
    return response.end()
  }
  const headers = { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' }
  if (isPage) headers['Content-Security-Policy'] = POLICY
  response.writeHead(200, headers)
  response.end(readFileSync(file))
}
