output "user_data" {
  description = "The machine's cloud-config, which Container-Optimized OS applies at each boot."
  value = join("\n", ["#cloud-config", yamlencode({
    write_files = [for path, content in local.files : { path = path, permissions = "0644", content = content }]
    runcmd      = concat([["systemctl", "daemon-reload"]], [for unit in local.started : ["systemctl", "start", "--no-block", unit]])
  })])
}
