"""What the steps of cloudbuild.yaml do beyond a few words of shell.

All but `data_source` and `record` run in the google-cloud-cli image, which has Python and gcloud and
nothing of ours: the standard library only.
"""
