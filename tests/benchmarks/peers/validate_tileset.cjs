// Judges a tileset with readers that are not ours, and prints what they say as JSON.
//
//   npm install --prefix FOLDER gltf-validator 3d-tiles-tools 3d-tiles-validator
//   NODE_PATH=FOLDER/node_modules node validate_tileset.cjs TILESET/tileset.json
//
// - 3d-tiles-validator, the official one, when it is installed: its numbers of errors and warnings, contents outside of their volumes among them.
// - gltf-validator (Khronos) on every content: errors in the glTF itself.
// - 3d-tiles-tools (Cesium) walks the tree through subtrees, and reads feature identifiers and property tables.
//
// Exit status 0 when nobody found an error, 1 otherwise, 2 when none of them is installed.
"use strict";
const fs = require("fs");
const path = require("path");

function optional(name) {
  try {
    return require(name);
  } catch {
    return null;
  }
}

async function official(file) {
  const validator = optional("3d-tiles-validator");
  if (!validator) return null;
  const options = new validator.ValidationOptions();
  options.validateBoundingVolumeContainment = true;
  const result = await validator.Validators.validateTilesetFile(file, options);
  return { errors: result.numErrors, warnings: result.numWarnings, first: result.toJson ? JSON.stringify(result.toJson()).slice(0, 2000) : "" };
}

function contents(folder) {
  const found = [];
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const full = path.join(folder, entry.name);
    if (entry.isDirectory()) found.push(...contents(full));
    else if (entry.name.endsWith(".glb")) found.push(full);
  }
  return found;
}

async function khronos(folder) {
  const validator = optional("gltf-validator");
  if (!validator) return null;
  let errors = 0;
  let warnings = 0;
  const first = [];
  const files = contents(folder);
  for (const file of files) {
    const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(file)), { maxIssues: 100 });
    errors += report.issues.numErrors;
    warnings += report.issues.numWarnings;
    for (const each of report.issues.messages) if (each.severity < 2 && first.length < 10) first.push(`${file}: ${each.message}`);
  }
  return { contents: files.length, errors, warnings, first };
}

function structure(document) {
  // What the specification asks of identifiers and property tables, beyond what the Khronos validator knows.
  const errors = [];
  const extension = (document.extensions || {}).EXT_structural_metadata;
  const schema = extension ? extension.schema : { classes: {}, enums: {} };
  const tables = extension ? extension.propertyTables : [];
  for (const table of tables) {
    const described = (schema.classes[table.class] || {}).properties || {};
    for (const [name, property] of Object.entries(described)) {
      if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) errors.push(`identifier ${name}`);
      if (property.required && property.noData !== undefined) errors.push(`${name}: required, with noData`);
      if (property.type === "ENUM") {
        const names = schema.enums[property.enumType].values.map((each) => each.name);
        if (new Set(names).size !== names.length) errors.push(`${name}: names occur twice`);
        if (property.noData !== undefined && !names.includes(property.noData)) errors.push(`${name}: noData is no name`);
      }
      if (property.required && !(name in table.properties)) errors.push(`${name}: required and not there`);
    }
    for (const name of Object.keys(table.properties)) if (!(name in described)) errors.push(`${name} is not in the class`);
  }
  return errors;
}

async function cesium(file) {
  const tools = optional("3d-tiles-tools");
  if (!tools) return null;
  const { NodeIO } = require("@gltf-transform/core");
  const { EXTMeshFeatures, EXTStructuralMetadata, KHRMeshQuantization } = require("@gltf-transform/extensions");
  const io = new NodeIO().registerExtensions([EXTMeshFeatures, EXTStructuralMetadata, KHRMeshQuantization]);
  const folder = path.dirname(file);
  const tileset = JSON.parse(fs.readFileSync(file, "utf8"));
  const resolver = new tools.FileResourceResolver(folder);
  const traverser = new tools.TilesetTraverser(folder, resolver, { depthFirst: true, traverseExternalTilesets: false });
  const all = [];
  let tiles = 0;
  await traverser.traverseWithSchema(tileset, undefined, async (tile) => {
    tiles += 1;
    for (const content of tile.getFinalContents()) if (!content.uri.includes("{")) all.push(content.uri);
    return true;
  });
  const ids = new Set();
  const errors = [];
  let bare = 0;
  for (const uri of all) {
    const bytes = fs.readFileSync(path.join(folder, uri));
    const document = await io.readBinary(new Uint8Array(bytes));
    const json = JSON.parse(bytes.subarray(20, 20 + bytes.readUInt32LE(12)).toString("utf8"));
    errors.push(...structure(json).map((each) => `${uri}: ${each}`));
    const metadata = document.getRoot().getExtension("EXT_structural_metadata");
    if (!metadata) {
      bare += 1;
      continue;
    }
    for (const table of metadata.listPropertyTables()) {
      const property = table.getProperty("id");
      const count = table.getCount();
      const offsets = property.getStringOffsets();
      const values = property.getValues();
      const view = new Uint32Array(offsets.buffer.slice(offsets.byteOffset, offsets.byteOffset + offsets.byteLength));
      for (let k = 0; k < count; k += 1) ids.add(Buffer.from(values.subarray(view[k], view[k + 1])).toString("utf8"));
    }
    for (const mesh of document.getRoot().listMeshes()) {
      for (const primitive of mesh.listPrimitives()) {
        const features = primitive.getExtension("EXT_mesh_features");
        for (const id of features ? features.listFeatureIDs() : []) {
          const array = primitive.getAttribute(`_FEATURE_ID_${id.getAttribute()}`).getArray();
          const different = new Set(array);
          const table = id.getPropertyTable();
          if (different.size !== id.getFeatureCount()) errors.push(`${uri}: ${different.size} features, said ${id.getFeatureCount()}`);
          for (const value of different) if (value >= table.getCount()) errors.push(`${uri}: feature ${value} of ${table.getCount()}`);
        }
      }
    }
  }
  return { tiles, contents: all.length, bare, features: ids.size, errors: errors.length, first: errors.slice(0, 10) };
}

async function main() {
  const file = path.resolve(process.argv[2]);
  const report = { official: await official(file), khronos: await khronos(path.dirname(file)), cesium: await cesium(file) };
  console.log(JSON.stringify(report, null, 1));
  const found = Object.values(report).filter(Boolean);
  process.exit(found.length === 0 ? 2 : found.some((each) => each.errors > 0) ? 1 : 0);
}

main().catch((error) => {
  console.error(error);
  process.exit(3);
});
