"""Looks for small files of a repository in a cache that luvit has filled, without asking the network."""
import json
import sys
from pathlib import Path

from huggingface_hub import hf_hub_download, scan_cache_dir, try_to_load_from_cache


def main(cache, repo):
    texts = {}
    for name in ("config.json", "model.safetensors.index.json"):
        path = hf_hub_download(repo, name, cache_dir=cache, local_files_only=True)
        texts[name] = Path(path).read_text()
    report = scan_cache_dir(cache)
    [found] = report.repos
    [revision] = found.revisions
    print(json.dumps({
        "texts": texts,
        "weights": str(try_to_load_from_cache(repo, "model-00001-of-00003.safetensors", cache_dir=cache)),
        "warnings": [str(warning) for warning in report.warnings],
        "repo": found.repo_id,
        "refs": sorted(revision.refs),
        "commit": revision.commit_hash,
    }))


main(*sys.argv[1:])
