// Exit code 0 when the registry in this container takes requests. The slim image has no curl.
import { request } from 'node:http';

const port = process.env.GHOSTDOCK_PORT || 5000;
const end = (code) => () => process.exit(code);

request({ host: '127.0.0.1', port, path: '/health/live', timeout: 4000 }, ({ statusCode }) => end(statusCode === 200 ? 0 : 1)())
  .on('timeout', end(1))
  .on('error', end(1))
  .end();
