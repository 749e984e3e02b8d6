// Exit code 0 when the registry in this container takes requests. The slim image has no curl.
import http from 'node:http';
import https from 'node:https';

const { GHOSTDOCK_PORT, GHOSTDOCK_TLS_CERT } = process.env;
const end = (code) => () => process.exit(code);

// Whether the registry answers, not who it is: it is asked at an address that no certificate names, and told no secret.
const options = {
  host: '127.0.0.1',
  port: GHOSTDOCK_PORT || 5000,
  path: '/health/live',
  timeout: 4000,
  rejectUnauthorized: false,
};

(GHOSTDOCK_TLS_CERT ? https : http)
  .request(options, ({ statusCode }) => end(statusCode === 200 ? 0 : 1)())
  .on('timeout', end(1))
  .on('error', end(1))
  .end();
