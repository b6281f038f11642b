// The smallest host app: a bundle and prepared arrays in, a picture out.
//
//   node examples/dress.mjs BUNDLE [INPUTS.npz [OUT.ppm]]
//
// INPUTS.npz holds float32 arrays called inputs.person, .mask, .masked_person, .pose and, where the model has an image
// encoder, .garment. The bundle's own golden trajectory is such a file, and is taken where none is given.

import { readFile, writeFile } from "node:fs/promises";

import { TryOn, TryOnError, readNpz } from "@lite-vton/web";
import { cpuProvider, folderSource } from "@lite-vton/web/node";

const [bundle, file = `${bundle}/golden/trajectory.npz`, out = "picture.ppm"] = process.argv.slice(2);

try {
  const tryOn = await TryOn.open(folderSource(bundle), { provider: await cpuProvider() });
  const arrays = await readNpz(new Uint8Array(await readFile(file)));
  const named = Object.entries(arrays).filter(([key]) => key.startsWith("inputs."));
  const inputs = Object.fromEntries(named.map(([key, array]) => [key.replace("inputs.", ""), array]));

  const { picture } = await tryOn.run(inputs, {
    seed: 7,
    onStep: ({ index, steps }) => console.log(`step ${index + 1} of ${steps}`),
  });
  await writeFile(out, `P6 ${picture.width} ${picture.height} 255\n`);
  await writeFile(out, picture.data, { flag: "a" });
  console.log(`wrote ${out}`);
  await tryOn.dispose();
} catch (error) {
  if (!(error instanceof TryOnError)) throw error;
  console.error(error.message);
  process.exitCode = 1;
}
