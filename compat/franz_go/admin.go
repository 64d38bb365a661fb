package main

import (
	"context"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
)

type names struct {
	address
	Topics []string `json:"topics"`
	Groups []string `json:"groups"`
}

func runTopics(ctx context.Context, args names) (any, error) {
	return withAdmin(ctx, args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		listed, err := admin.ListTopics(ctx, args.Topics...)
		if err != nil {
			return nil, err
		}
		result := map[string]any{}
		for name, topic := range listed {
			said := ""
			if topic.Err != nil {
				said = topic.Err.Error()
			}
			partitions := map[int32]any{}
			for number, partition := range topic.Partitions {
				partitions[number] = map[string]any{
					"leader": partition.Leader, "replicas": partition.Replicas, "isr": partition.ISR,
				}
			}
			result[name] = map[string]any{"topic_id": topic.ID.String(), "error": said, "partitions": partitions}
		}
		return result, nil
	})
}

func configsOf(described kadm.ResourceConfigs) (map[string]any, error) {
	result := map[string]any{}
	for _, resource := range described {
		if resource.Err != nil {
			return nil, resource.Err
		}
		configs := map[string]any{}
		for _, config := range resource.Configs {
			configs[config.Key] = map[string]any{
				"value": config.Value, "source": config.Source.String(), "sensitive": config.Sensitive,
				"synonyms": len(config.Synonyms),
			}
		}
		result[resource.Name] = configs
	}
	return result, nil
}

// runConfigs describes the topics that are named, and the broker of the number "1".
func runConfigs(ctx context.Context, args names) (any, error) {
	return withAdmin(ctx, args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		described, err := admin.DescribeTopicConfigs(ctx, args.Topics...)
		if err != nil {
			return nil, err
		}
		brokers, err := admin.DescribeBrokerConfigs(ctx, 1)
		if err != nil {
			return nil, err
		}
		return configsOf(append(described, brokers...))
	})
}

type alterConfigs struct {
	address
	Topic  string `json:"topic"`
	Alters []struct {
		Operation string  `json:"operation"`
		Name      string  `json:"name"`
		Value     *string `json:"value"`
	} `json:"alters"`
}

var alterOperations = map[string]kadm.IncrementalOp{
	"set": kadm.SetConfig, "delete": kadm.DeleteConfig, "append": kadm.AppendConfig, "subtract": kadm.SubtractConfig,
}

func runAlterConfigs(ctx context.Context, args alterConfigs) (any, error) {
	return withAdmin(ctx, args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		alters := []kadm.AlterConfig{}
		for _, alter := range args.Alters {
			alters = append(alters, kadm.AlterConfig{Op: alterOperations[alter.Operation], Name: alter.Name, Value: alter.Value})
		}
		altered, err := admin.AlterTopicConfigs(ctx, alters, args.Topic)
		if err != nil {
			return nil, err
		}
		for _, answer := range altered {
			if answer.Err != nil {
				return nil, answer.Err
			}
		}
		return nil, nil
	})
}

type partitions struct {
	address
	Topic      string `json:"topic"`
	Partitions int    `json:"partitions"`
}

func runPartitions(ctx context.Context, args partitions) (any, error) {
	return withAdmin(ctx, args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		updated, err := admin.UpdatePartitions(ctx, args.Partitions, args.Topic)
		if err == nil {
			err = updated.Error()
		}
		return nil, err
	})
}

func runGroups(ctx context.Context, args names) (any, error) {
	return withAdmin(ctx, args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		listed, err := admin.ListGroups(ctx)
		if err != nil {
			return nil, err
		}
		described, err := admin.DescribeGroups(ctx, args.Groups...)
		if err == nil {
			err = described.Error()
		}
		if err != nil {
			return nil, err
		}
		result := map[string]any{}
		for name, group := range described {
			members := []any{}
			for _, member := range group.Members {
				owned := map[string][]int32{}
				if consumer, is := member.Assigned.AsConsumer(); is {
					for _, topic := range consumer.Topics {
						slices.Sort(topic.Partitions)
						owned[topic.Topic] = topic.Partitions
					}
				}
				members = append(members, map[string]any{
					"client_id": member.ClientID, "host": member.ClientHost, "assigned": owned,
				})
			}
			result[name] = map[string]any{
				"listed_state": listed[name].State,
				"state":        group.State, "protocol_type": group.ProtocolType, "protocol": group.Protocol, "members": members,
				"coordinator": group.Coordinator.NodeID,
			}
		}
		return result, nil
	})
}

type listOffsets struct {
	address
	Topic       string `json:"topic"`
	TimestampMs int64  `json:"timestamp_ms"`
}

// runOffsets lists the first, last, and largest-timestamp offsets, and those of a timestamp, by partition.
func runOffsets(ctx context.Context, args listOffsets) (any, error) {
	return withAdmin(ctx, args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		after := func(ctx context.Context, topics ...string) (kadm.ListedOffsets, error) {
			return admin.ListOffsetsAfterMilli(ctx, args.TimestampMs, topics...)
		}
		result := map[string]map[int32]int64{}
		for name, list := range map[string]func(context.Context, ...string) (kadm.ListedOffsets, error){
			"start": admin.ListStartOffsets, "end": admin.ListEndOffsets,
			"max_timestamp": admin.ListMaxTimestampOffsets, "timestamp": after,
		} {
			listed, err := list(ctx, args.Topic)
			if err == nil {
				err = listed.Error()
			}
			if err != nil {
				return nil, err
			}
			result[name] = map[int32]int64{}
			for number, offset := range listed[args.Topic] {
				result[name][number] = offset.Offset
			}
		}
		return result, nil
	})
}

type deletion struct {
	names
	Records map[string]map[int32]int64    `json:"records"`
	Offsets map[string]map[string][]int32 `json:"offsets"`
}

// runDelete deletes records before offsets, committed offsets of groups, groups, topics, in this order.
func runDelete(ctx context.Context, args deletion) (any, error) {
	return withAdmin(ctx, args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		before := kadm.Offsets{}
		for topic, offsets := range args.Records {
			for partition, offset := range offsets {
				before.AddOffset(topic, partition, offset, -1)
			}
		}
		low := map[int32]int64{}
		if len(before) > 0 {
			deleted, err := admin.DeleteRecords(ctx, before)
			if err == nil {
				err = deleted.Error()
			}
			if err != nil {
				return nil, err
			}
			deleted.Each(func(answer kadm.DeleteRecordsResponse) { low[answer.Partition] = answer.LowWatermark })
		}
		for group, topics := range args.Offsets {
			set := kadm.TopicsSet{}
			for topic, numbers := range topics {
				set.Add(topic, numbers...)
			}
			deleted, err := admin.DeleteOffsets(ctx, group, set)
			if err == nil {
				err = deleted.Error()
			}
			if err != nil {
				return nil, err
			}
		}
		if len(args.Groups) > 0 {
			deleted, err := admin.DeleteGroups(ctx, args.Groups...)
			if err == nil {
				err = deleted.Error()
			}
			if err != nil {
				return nil, err
			}
		}
		if len(args.Topics) > 0 {
			deleted, err := admin.DeleteTopics(ctx, args.Topics...)
			if err == nil {
				err = deleted.Error()
			}
			if err != nil {
				return nil, err
			}
		}
		return low, nil
	})
}

// runCluster tells of brokers, log directories, producers and the broker's API versions.
func runCluster(ctx context.Context, args names) (any, error) {
	return withAdmin(ctx, args.Bootstrap, func(ctx context.Context, admin *kadm.Client) (any, error) {
		metadata, err := admin.BrokerMetadata(ctx)
		if err != nil {
			return nil, err
		}
		sizes := map[string]map[int32]int64{}
		dirs, err := admin.DescribeAllLogDirs(ctx, nil)
		if err != nil {
			return nil, err
		}
		dirs.Each(func(dir kadm.DescribedLogDir) {
			dir.Topics.Each(func(partition kadm.DescribedLogDirPartition) {
				if sizes[partition.Topic] == nil {
					sizes[partition.Topic] = map[int32]int64{}
				}
				sizes[partition.Topic][partition.Partition] = partition.Size
			})
		})
		set := kadm.TopicsSet{}
		set.Add(args.Topics[0], 0)
		described, err := admin.DescribeProducers(ctx, set)
		if err != nil {
			return nil, err
		}
		sequences := []int32{}
		described.EachProducer(func(producer kadm.DescribedProducer) {
			sequences = append(sequences, producer.LastSequence)
		})
		brokers := []int32{}
		for _, broker := range metadata.Brokers {
			brokers = append(brokers, broker.NodeID)
		}
		versions, err := admin.ApiVersions(ctx)
		if err != nil {
			return nil, err
		}
		offered := versions[metadata.Controller]
		produce, _ := offered.KeyMaxVersion(0)
		return map[string]any{
			"cluster_id": metadata.Cluster, "controller": metadata.Controller, "brokers": brokers,
			"sizes": sizes, "last_sequences": sequences, "produce_version": produce,
		}, nil
	})
}
