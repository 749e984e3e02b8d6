import { conformance } from '../test/conformance/command.ts';

// `npm run conformance -- --url http://127.0.0.1:5000`: see docs/conformance.md.

process.exitCode = await conformance(process.argv.slice(2), process.env, console.log, console.error);
