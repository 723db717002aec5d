"""What the W&B server of the tests answers about artifacts: tables and models."""

from typing import Any


class Artifacts:
    """The answers, for a `Server` that keeps artifacts."""

    artifacts: dict[str, dict[str, Any]]
    url: str

    def on_CreateArtifact(self, values: dict[str, Any]) -> dict[str, Any]:
        given = values["input"]
        artifact_id = f"a{len(self.artifacts)}"
        self.artifacts[artifact_id] = {
            "name": given["artifactCollectionName"],
            "type": given["artifactTypeName"],
            "run": given.get("runName"),
            "digest": given["digest"],
            "state": "PENDING",
            "files": {},
        }
        sequence = {"latestArtifact": None}
        made = {"id": artifact_id, "state": "PENDING", "artifactSequence": sequence}
        return {"createArtifact": {"artifact": made}}

    def on_CreateArtifactManifest(self, values: dict[str, Any]) -> dict[str, Any]:
        artifact_id = values["artifactID"]
        url = f"{self.url}/artifact/{artifact_id}/manifest.json"
        file = {"id": "f1", "uploadUrl": url, "uploadHeaders": []}
        made = {"id": f"m_{artifact_id}", "file": file}
        return {"createArtifactManifest": {"artifactManifest": made}}

    def on_UpdateArtifactManifest(self, values: dict[str, Any]) -> dict[str, Any]:
        artifact_id = values["artifactManifestID"].removeprefix("m_")
        made = self.on_CreateArtifactManifest({"artifactID": artifact_id})
        return {"updateArtifactManifest": made["createArtifactManifest"]}

    def on_CreateArtifactFiles(self, values: dict[str, Any]) -> dict[str, Any]:
        edges = []
        for given in values["input"]["artifactFiles"]:
            path = f"/blob/{given['artifactID']}/{given['name']}"
            self.artifacts[given["artifactID"]]["files"][given["name"]] = path
            node = {"storagePath": path, "uploadUrl": self.url + path, "uploadHeaders": []}
            artifact = {"id": given["artifactID"]}
            edges.append({"node": {**node, "artifact": artifact, "name": given["name"]}})
        return {"createArtifactFiles": {"files": {"edges": edges}}}

    def on_ArtifactType(self, values: dict[str, Any]) -> dict[str, Any]:
        name = values["name"].rpartition("/")[2].partition(":")[0]
        found = [a["type"] for a in self.artifacts.values() if a["name"] == name]
        return {"project": {"artifact": {"artifactType": {"name": found[0]}} if found else None}}

    def on_CommitArtifact(self, values: dict[str, Any]) -> dict[str, Any]:
        artifact = self.artifacts[values["artifactID"]]
        artifact["state"] = "COMMITTED"
        made = {"id": values["artifactID"], "digest": artifact["digest"]}
        return {"commitArtifact": {"artifact": made}}
